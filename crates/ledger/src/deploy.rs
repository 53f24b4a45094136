//! Deployment of the contracts, and connection to contracts that are there already.

use alloy_primitives::{Address, Bytes, U64};
use alloy_sol_types::{SolCall, SolConstructor};
use gridtally_core::explanations;
use gridtally_core::period::{SettlementCalendar, SettlementPeriod};
use gridtally_settlement::Domain;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::info;

use crate::abi::{DemoToken, DirectSettlement, IDirectSettlement};
use crate::client::{BlockId, CallRequest, Client};
use crate::endpoint::EndpointError;
use crate::gas::{CallKind, GasMeasurements};
use crate::refusal::Refusal;
use crate::send_error::SendError;
use crate::sender::{Call, Sender};
use crate::wire::Receipt;

/// Who holds which office of a deployment. Fixed for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offices {
    /// Owns participant 0 and settles.
    pub hub: Address,
    /// Registers participants.
    pub registrar: Address,
    /// Publishes prices.
    pub tariff_authority: Address,
    /// Settles, and signs corrections.
    pub metering_operator: Address,
}

impl Offices {
    /// Returns all offices in one hand, as on a development chain.
    #[must_use]
    pub fn all_held_by(address: Address) -> Self {
        Self {
            hub: address,
            registrar: address,
            tariff_authority: address,
            metering_operator: address,
        }
    }
}

/// Where a deployment stands: what another process needs to connect to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// The chain.
    pub chain_id: u64,
    /// The settlement contract.
    pub contract: Address,
    /// The ERC-20 that it holds and pays.
    pub token: Address,
    /// The block of the deployment: there is nothing to read before it.
    pub block: u64,
    /// Its calendar.
    pub calendar: SettlementCalendar,
    /// Its offices.
    pub offices: Offices,
}

impl Deployment {
    /// Returns the EIP-712 domain for which meters sign.
    #[must_use]
    pub fn domain(&self) -> Domain {
        Domain { chain_id: self.chain_id, contract: self.contract }
    }

    /// Returns the start of a period, Unix time, s. The contract counts further than the calendar.
    pub(crate) fn period_start_s(&self, period: SettlementPeriod) -> u64 {
        let genesis_time_s = self.calendar.genesis_time().as_second().unsigned_abs();
        genesis_time_s + u64::from(period.0) * u64::from(self.calendar.period_length_s())
    }
}

/// Which token a new deployment pays with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenChoice {
    /// An ERC-20 with 6 decimals that is there already.
    Existing(Address),
    /// Play money, deployed as well; its owner issues as much as it likes.
    Demonstration {
        /// Who issues it.
        owner: Address,
    },
}

/// Why there is no deployment to work with, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// The endpoint failed, or the contract refuses, or the transaction was not carried out.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The chain cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The endpoint serves another chain than the deployment's.
    #[error("the deployment is on chain {expected}, the endpoint serves chain {found}")]
    WrongChain {
        /// Chain of the deployment.
        expected: u64,
        /// Chain of the endpoint.
        found: u64,
    },
    /// There is no contract at the address.
    #[error("chain {chain_id} has no contract at {address}")]
    NoCode {
        /// The chain.
        chain_id: u64,
        /// The address.
        address: Address,
    },
    /// The contract at the address is another one than the deployment says.
    #[error("the {field} of the contract at {address} is {found}, expected {expected}")]
    Differs {
        /// The address.
        address: Address,
        /// Which property.
        field: &'static str,
        /// The deployment's.
        expected: String,
        /// The contract's.
        found: String,
    },
    /// The receipt of a deployment does not say where the contract is.
    #[error("the receipt of the deployment names no contract")]
    NoAddress,
}

explanations! {
    DeployError {
        Send(error);
        Read(error);
        WrongChain: "deployment-other-chain" "the endpoint serves another chain than the one of the deployment"
            "name the --endpoint of the chain that the store settled on";
        NoCode: "deployment-missing" "there is no contract at the address of the deployment"
            "name the --endpoint of the chain that the store settled on";
        Differs: "deployment-differs" "the contract at the address is another one than the deployment says"
            "name the --endpoint of the chain that the store settled on, and its contract";
        NoAddress: "deployment-address-missing" "the receipt of the deployment does not say where the contract is"
            "ask another endpoint, then deploy again";
    }
}

/// Why a question to a contract has no answer, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The endpoint failed.
    #[error("{0}")]
    Endpoint(#[from] EndpointError),
    /// The contract refuses.
    #[error("{question} is refused: {refusal}")]
    Refused {
        /// Signature of the function.
        question: &'static str,
        /// The contract's reason.
        refusal: Box<Refusal>,
    },
    /// The answer is not of the function's form: another contract, or none.
    #[error("the answer to {question} is not of its form: {reason}")]
    Undecodable {
        /// Signature of the function.
        question: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

explanations! {
    ReadError {
        Endpoint(error);
        Refused { refusal };
        Undecodable: "answer-undecodable" "the answer to a question is not of the function's form: another contract, or none"
            "make sure that the address is that of a settlement contract on this chain";
    }
}

/// One deployment, seen through one connection.
#[derive(Debug, Clone)]
pub struct Ledger {
    client: Client,
    deployment: Deployment,
}

impl Ledger {
    /// Deploys the settlement contract, and the token where asked for. Measured gas is added to
    /// `measured`.
    ///
    /// If this fails half-way there may be a token or a contract that nobody uses; deploying again
    /// makes new ones.
    ///
    /// # Errors
    ///
    /// Returns the first [`DeployError`] in the order of its variants.
    pub async fn deploy(
        sender: &Sender,
        offices: Offices,
        calendar: SettlementCalendar,
        token: TokenChoice,
        measured: &mut GasMeasurements,
    ) -> Result<Self, DeployError> {
        let token = chosen_token(sender, token, measured).await?;
        let config = IDirectSettlement::Config {
            token,
            hub: offices.hub,
            registrar: offices.registrar,
            tariffAuthority: offices.tariff_authority,
            meteringOperator: offices.metering_operator,
            genesisTime: calendar.genesis_time().as_second().unsigned_abs(),
            periodLength: calendar.period_length_s(),
            slotsPerPeriod: calendar.slots_per_period(),
        };
        let constructor = DirectSettlement::constructorCall { config };
        let code = with_arguments(&DirectSettlement::BYTECODE, constructor.abi_encode());
        let (contract, receipt) = deployed(sender, code, measured).await?;
        let chain_id = sender.client().chain_id();
        let block = receipt.block_number;
        info!(chain_id, %contract, %token, block, "contracts deployed");
        let deployment = Deployment { chain_id, contract, token, block, calendar, offices };
        Self::connect(sender.client().clone(), deployment).await
    }

    /// Connects to a deployment and checks that it is the one described.
    ///
    /// # Errors
    ///
    /// Returns the first [`DeployError`] in the order of its variants.
    pub async fn connect(client: Client, deployment: Deployment) -> Result<Self, DeployError> {
        let (expected, found) = (deployment.chain_id, client.chain_id());
        if expected != found {
            return Err(DeployError::WrongChain { expected, found });
        }
        let ledger = Self::at(client, deployment.contract, deployment.block).await?;
        let Deployment { contract, token, calendar, offices, .. } = deployment;
        let found = ledger.deployment;
        let pairs = [
            ("token", token, found.token),
            ("hub", offices.hub, found.offices.hub),
            ("registrar", offices.registrar, found.offices.registrar),
            ("tariff authority", offices.tariff_authority, found.offices.tariff_authority),
            ("metering operator", offices.metering_operator, found.offices.metering_operator),
        ];
        let addresses =
            pairs.map(|(field, expected, found)| (field, expected.to_string(), found.to_string()));
        let shown = |calendar: &SettlementCalendar| format!("{calendar:?}");
        let calendars = ("calendar", shown(&calendar), shown(&found.calendar));
        for (field, expected, found) in addresses.into_iter().chain([calendars]) {
            if expected != found {
                return Err(DeployError::Differs { address: contract, field, expected, found });
            }
        }
        Ok(ledger)
    }

    /// Connects to a contract of which only the address is known, and asks it for the rest.
    /// `block` is where reading begins: that of the deployment, or any before it.
    ///
    /// # Errors
    ///
    /// Returns the first [`DeployError`] in the order of its variants.
    pub async fn at(client: Client, contract: Address, block: u64) -> Result<Self, DeployError> {
        let chain_id = client.chain_id();
        if client.code(contract).await.map_err(ReadError::from)?.is_empty() {
            return Err(DeployError::NoCode { chain_id, address: contract });
        }
        let ask = Question { client: &client, contract, at: BlockId::Latest };
        let deployment = Deployment {
            chain_id,
            contract,
            token: ask.call(DirectSettlement::tokenCall {}).await?,
            block,
            calendar: ask.calendar().await?,
            offices: Offices {
                hub: ask.call(DirectSettlement::hubCall {}).await?,
                registrar: ask.call(DirectSettlement::registrarCall {}).await?,
                tariff_authority: ask.call(DirectSettlement::tariffAuthorityCall {}).await?,
                metering_operator: ask.call(DirectSettlement::meteringOperatorCall {}).await?,
            },
        };
        Ok(Self { client, deployment })
    }

    /// Returns where the deployment stands.
    #[must_use]
    pub fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// Returns the connection.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Asks the settlement contract at the newest block.
    pub(crate) async fn ask<C: SolCall>(&self, call: C) -> Result<C::Return, ReadError> {
        let contract = self.deployment.contract;
        Question { client: &self.client, contract, at: BlockId::Latest }.call(call).await
    }

    /// Asks the token at the newest block.
    pub(crate) async fn ask_token<C: SolCall>(&self, call: C) -> Result<C::Return, ReadError> {
        let contract = self.deployment.token;
        Question { client: &self.client, contract, at: BlockId::Latest }.call(call).await
    }

    /// Returns a call of the settlement contract, to be sent.
    pub(crate) fn call<C: SolCall>(&self, kind: CallKind, items: u64, call: &C) -> Call {
        let to = Some(self.deployment.contract);
        Call { kind, items, to, data: call.abi_encode().into(), gas_limit: None, blobs: None }
    }

    /// Returns a call of the token, to be sent.
    pub(crate) fn call_token<C: SolCall>(&self, kind: CallKind, call: &C) -> Call {
        let to = Some(self.deployment.token);
        Call { kind, items: 1, to, data: call.abi_encode().into(), gas_limit: None, blobs: None }
    }
}

/// Questions to one contract.
pub(crate) struct Question<'a> {
    pub(crate) client: &'a Client,
    pub(crate) contract: Address,
    pub(crate) at: BlockId,
}

impl Question<'_> {
    /// Both contracts name their calendar alike.
    pub(crate) async fn calendar(&self) -> Result<SettlementCalendar, ReadError> {
        let genesis_time_s = self.call(DirectSettlement::genesisTimeCall {}).await?;
        let period_length_s = self.call(DirectSettlement::periodLengthCall {}).await?;
        let slots_per_period = self.call(DirectSettlement::slotsPerPeriodCall {}).await?;
        let invalid = |reason: String| {
            let question = DirectSettlement::genesisTimeCall::SIGNATURE;
            ReadError::Undecodable { question, reason }
        };
        let genesis_time_s =
            i64::try_from(genesis_time_s).map_err(|_| invalid("too late".into()))?;
        let genesis_time =
            Timestamp::from_second(genesis_time_s).map_err(|error| invalid(error.to_string()))?;
        SettlementCalendar::new(genesis_time, period_length_s, slots_per_period)
            .map_err(|error| invalid(error.to_string()))
    }

    pub(crate) async fn call<C: SolCall>(&self, call: C) -> Result<C::Return, ReadError> {
        let request = CallRequest {
            from: None,
            to: Some(self.contract),
            data: call.abi_encode().into(),
            gas: None::<U64>,
            blob_versioned_hashes: None,
        };
        let question = C::SIGNATURE;
        let answer = match self.client.call(&request, self.at).await {
            Ok(answer) => answer,
            Err(EndpointError::Refused { failure, .. }) => {
                return Err(ReadError::Refused {
                    question,
                    refusal: Box::new(Refusal::of(&failure)),
                });
            }
            Err(error) => return Err(error.into()),
        };
        C::abi_decode_returns(&answer)
            .map_err(|error| ReadError::Undecodable { question, reason: error.to_string() })
    }
}

/// Returns the token, deployed where asked for.
pub(crate) async fn chosen_token(
    sender: &Sender,
    token: TokenChoice,
    measured: &mut GasMeasurements,
) -> Result<Address, DeployError> {
    match token {
        TokenChoice::Existing(address) => Ok(address),
        TokenChoice::Demonstration { owner } => {
            let constructor = DemoToken::constructorCall { owner };
            let code = with_arguments(&DemoToken::BYTECODE, constructor.abi_encode());
            Ok(deployed(sender, code, measured).await?.0)
        }
    }
}

pub(crate) fn with_arguments(code: &Bytes, arguments: Vec<u8>) -> Bytes {
    let mut code = code.to_vec();
    code.extend(arguments);
    code.into()
}

pub(crate) async fn deployed(
    sender: &Sender,
    code: Bytes,
    measured: &mut GasMeasurements,
) -> Result<(Address, Receipt), DeployError> {
    let kind = CallKind::Deploy;
    let call = Call { kind, items: 1, to: None, data: code, gas_limit: None, blobs: None };
    let receipt = sender.send(call).await?;
    measured.add_receipt(kind, 1, &receipt);
    let address = receipt.contract_address.ok_or(DeployError::NoAddress)?;
    Ok((address, receipt))
}
