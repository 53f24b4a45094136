//! Deployment of batch settlement: the core and its three provers, which name each other.

use alloy_primitives::{Address, B256, Bytes};
use alloy_sol_types::SolConstructor;
use gridtally_core::period::SettlementCalendar;
use gridtally_settlement::Domain;
use serde::{Deserialize, Serialize};
use tracing::info;

use crate::abi::batch::{BatchSettlement, IBatchSettlement};
use crate::abi::demand::DemandProver;
use crate::abi::duty::DutyProver;
use crate::abi::fraud::FraudProver;
use crate::batch_call::Demanded;
use crate::client::{BlockId, Client};
use crate::deploy::{
    DeployError, Question, ReadError, TokenChoice, chosen_token, deployed, with_arguments,
};
use crate::endpoint::EndpointError;
use crate::gas::GasMeasurements;
use crate::sender::Sender;

/// Who holds which office of batch settlement. Fixed for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchOffices {
    /// Commits batches under a bond.
    pub hub: Address,
    /// Gets the bond back, and the hub's part of demand bonds.
    pub hub_payout: Address,
    /// Registers participants.
    pub registrar: Address,
    /// Publishes prices.
    pub tariff_authority: Address,
    /// Signs corrections beside the meters.
    pub metering_operator: Address,
    /// Pauses commits.
    pub guardian: Address,
    /// Reads every section of sealed batches and may demand what is withheld; without one, nothing can be sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auditor: Option<Address>,
}

impl BatchOffices {
    /// Returns all offices in one hand, as on a development chain; nobody is the auditor.
    #[must_use]
    pub const fn all_held_by(address: Address) -> Self {
        Self {
            hub: address,
            hub_payout: address,
            registrar: address,
            tariff_authority: address,
            metering_operator: address,
            guardian: address,
            auditor: None,
        }
    }

    /// Returns the same offices with an auditor, so that batches can be sealed.
    #[must_use]
    pub const fn audited_by(self, auditor: Address) -> Self {
        Self { auditor: Some(auditor), ..self }
    }
}

/// What a deployment of batch settlement fixes for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchTerms {
    /// Who may what.
    pub offices: BatchOffices,
    /// Periods and slots.
    pub calendar: SettlementCalendar,
    /// What a cancelled batch costs the hub, micro-units: half of it goes to whoever proved it wrong.
    pub slash_unit_micro: u64,
    /// Bond of a demand for one leaf, micro-units; eight times as much for a row or a group.
    pub demand_bond_micro: u64,
}

/// Where batch settlement stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchDeployment {
    /// The chain.
    pub chain_id: u64,
    /// The core, for which meters sign.
    pub core: Address,
    /// Where fraud is proved.
    pub fraud_prover: Address,
    /// Where openings are demanded.
    pub demand_prover: Address,
    /// Where snapshots and forced readings are.
    pub duty_prover: Address,
    /// The ERC-20 that is held and paid.
    pub token: Address,
    /// The block of the deployment: there is nothing to read before it.
    pub block: u64,
    /// What is fixed for ever.
    pub terms: BatchTerms,
}

impl BatchDeployment {
    /// Returns the EIP-712 domain for which meters sign.
    #[must_use]
    pub const fn domain(&self) -> Domain {
        Domain { chain_id: self.chain_id, contract: self.core }
    }
}

/// A call as tracers show it.
#[derive(Debug, Deserialize)]
struct CallFrame {
    #[serde(default)]
    to: Option<Address>,
    #[serde(default)]
    input: Bytes,
    #[serde(default)]
    calls: Vec<Self>,
}

/// Batch settlement seen through one connection.
#[derive(Debug, Clone)]
pub struct BatchLedger {
    client: Client,
    deployment: BatchDeployment,
}

impl BatchLedger {
    /// Deploys the core and its provers. Measured gas is added to `measured`. Nobody else may use the sender's key
    /// meanwhile: the core is told the provers' addresses before they exist.
    ///
    /// # Errors
    ///
    /// Returns the first [`DeployError`] in the order of its variants; [`DeployError::Differs`] when a prover came to another
    /// address, because somebody else used the key.
    pub async fn deploy(
        sender: &Sender,
        terms: BatchTerms,
        token: TokenChoice,
        measured: &mut GasMeasurements,
    ) -> Result<Self, DeployError> {
        let client = sender.client();
        let token = chosen_token(sender, token, measured).await?;
        let nonce = client.transaction_count(sender.address(), BlockId::Pending).await;
        let nonce = nonce.map_err(ReadError::from)?;
        let [fraud_prover, demand_prover, duty_prover] =
            [1, 2, 3].map(|after| sender.address().create(nonce + after));
        let BatchTerms { offices, calendar, slash_unit_micro, demand_bond_micro } = terms;
        let config = IBatchSettlement::Config {
            token,
            hub: offices.hub,
            hubPayout: offices.hub_payout,
            registrar: offices.registrar,
            tariffAuthority: offices.tariff_authority,
            meteringOperator: offices.metering_operator,
            guardian: offices.guardian,
            fraudProver: fraud_prover,
            demandProver: demand_prover,
            dutyProver: duty_prover,
            genesisTime: calendar.genesis_time().as_second().unsigned_abs(),
            periodLength: calendar.period_length_s(),
            slotsPerPeriod: calendar.slots_per_period(),
            slashUnit: slash_unit_micro,
            demandBond: demand_bond_micro,
        };
        let constructor = BatchSettlement::constructorCall { config };
        let code = with_arguments(&BatchSettlement::BYTECODE, constructor.abi_encode());
        let (core, receipt) = deployed(sender, code, measured).await?;
        let provers: [(&str, Address, &Bytes, Vec<u8>); 3] = [
            (
                "fraud prover",
                fraud_prover,
                &FraudProver::BYTECODE,
                FraudProver::constructorCall { core_: core }.abi_encode(),
            ),
            (
                "demand prover",
                demand_prover,
                &DemandProver::BYTECODE,
                DemandProver::constructorCall {
                    core_: core,
                    auditor_: offices.auditor.unwrap_or_default(),
                }
                .abi_encode(),
            ),
            (
                "duty prover",
                duty_prover,
                &DutyProver::BYTECODE,
                DutyProver::constructorCall { core_: core }.abi_encode(),
            ),
        ];
        for (field, expected, code, arguments) in provers {
            let (found, _) = deployed(sender, with_arguments(code, arguments), measured).await?;
            if found != expected {
                let (expected, found) = (expected.to_string(), found.to_string());
                return Err(DeployError::Differs { address: core, field, expected, found });
            }
        }
        let chain_id = client.chain_id();
        let block = receipt.block_number;
        info!(chain_id, %core, %token, block, "batch settlement deployed");
        let deployment = BatchDeployment {
            chain_id,
            core,
            fraud_prover,
            demand_prover,
            duty_prover,
            token,
            block,
            terms,
        };
        Ok(Self { client: client.clone(), deployment })
    }

    /// Connects to batch settlement of which only the core's address is known, and asks it for the rest. `block` is where
    /// reading begins: that of the deployment, or any before it.
    ///
    /// # Errors
    ///
    /// Returns the first [`DeployError`] in the order of its variants.
    pub async fn at(client: Client, core: Address, block: u64) -> Result<Self, DeployError> {
        let chain_id = client.chain_id();
        if client.code(core).await.map_err(ReadError::from)?.is_empty() {
            return Err(DeployError::NoCode { chain_id, address: core });
        }
        let ask = Question { client: &client, contract: core, at: BlockId::Latest };
        let (payout, _, _) = ask.call(BatchSettlement::payoutOfCall { number: 0 }).await?.into();
        let demand_prover = ask.call(BatchSettlement::demandProverCall {}).await?;
        let ask_prover = Question { client: &client, contract: demand_prover, at: BlockId::Latest };
        let auditor: Address = ask_prover.call(DemandProver::auditorCall {}).await?;
        let offices = BatchOffices {
            hub: ask.call(BatchSettlement::hubCall {}).await?,
            hub_payout: payout,
            registrar: ask.call(BatchSettlement::registrarCall {}).await?,
            tariff_authority: ask.call(BatchSettlement::tariffAuthorityCall {}).await?,
            metering_operator: ask.call(BatchSettlement::meteringOperatorCall {}).await?,
            guardian: ask.call(BatchSettlement::guardianCall {}).await?,
            auditor: Some(auditor).filter(|auditor| !auditor.is_zero()),
        };
        let terms = BatchTerms {
            offices,
            calendar: ask.calendar().await?,
            slash_unit_micro: ask.call(BatchSettlement::slashUnitCall {}).await?,
            demand_bond_micro: ask.call(BatchSettlement::demandBondCall {}).await?,
        };
        let deployment = BatchDeployment {
            chain_id,
            core,
            fraud_prover: ask.call(BatchSettlement::fraudProverCall {}).await?,
            demand_prover,
            duty_prover: ask.call(BatchSettlement::dutyProverCall {}).await?,
            token: ask.call(BatchSettlement::tokenCall {}).await?,
            block,
            terms,
        };
        Ok(Self { client, deployment })
    }

    /// Connects to batch settlement of which everything is known, and compares that with what its contracts say.
    ///
    /// # Errors
    ///
    /// Returns the first [`DeployError`] in the order of its variants.
    pub async fn connect(client: Client, deployment: BatchDeployment) -> Result<Self, DeployError> {
        let (expected, found) = (deployment.chain_id, client.chain_id());
        if expected != found {
            return Err(DeployError::WrongChain { expected, found });
        }
        let ledger = Self::at(client, deployment.core, deployment.block).await?;
        let there = ledger.deployment;
        let shown = |address: Address| address.to_string();
        let fields = [
            ("fraud prover", shown(deployment.fraud_prover), shown(there.fraud_prover)),
            ("demand prover", shown(deployment.demand_prover), shown(there.demand_prover)),
            ("duty prover", shown(deployment.duty_prover), shown(there.duty_prover)),
            ("token", shown(deployment.token), shown(there.token)),
            ("terms", format!("{:?}", deployment.terms), format!("{:?}", there.terms)),
        ];
        let address = deployment.core;
        match fields.into_iter().find(|(_, expected, found)| expected != found) {
            Some((field, expected, found)) => {
                Err(DeployError::Differs { address, field, expected, found })
            }
            None => Ok(ledger),
        }
    }

    /// Returns the connection.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Returns where it stands.
    #[must_use]
    pub const fn deployment(&self) -> &BatchDeployment {
        &self.deployment
    }

    /// Returns the number of the newest batch.
    ///
    /// # Errors
    ///
    /// Returns [`ReadError`].
    pub async fn head_seq(&self) -> Result<u64, ReadError> {
        let cursor =
            self.question(self.deployment.core).call(BatchSettlement::cursorCall {}).await?;
        Ok(cursor._0)
    }

    /// Returns what a transaction gave to a contract: its own input, or where it reached the contract through another one, the
    /// inputs of those calls, as far as the endpoint traces calls.
    pub(crate) async fn inputs_of(
        &self,
        transaction: B256,
        contract: Address,
    ) -> Result<Vec<Bytes>, EndpointError> {
        let Some(sent) = self.client.transaction(transaction).await? else { return Ok(Vec::new()) };
        if sent.to == Some(contract) {
            return Ok(vec![sent.input]);
        }
        let tracer = serde_json::json!({ "tracer": "callTracer" });
        let traced =
            self.client.endpoint().request("debug_traceTransaction", (transaction, tracer));
        let traced: CallFrame = match traced.await {
            Ok(traced) => traced,
            Err(EndpointError::Refused { .. }) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let (mut frames, mut inputs) = (vec![traced], Vec::new());
        while let Some(frame) = frames.pop() {
            if frame.to == Some(contract) {
                inputs.push(frame.input);
            }
            frames.extend(frame.calls);
        }
        Ok(inputs)
    }

    /// Whether a batch is pending.
    ///
    /// # Errors
    ///
    /// Returns [`ReadError`].
    pub async fn is_pending(&self, seq: u64, header_hash: B256) -> Result<bool, ReadError> {
        let call = BatchSettlement::isPendingCall { seq, headerHash: header_hash };
        self.question(self.deployment.core).call(call).await
    }

    /// Whether a batch is final, of the newest ones that the contract remembers.
    ///
    /// # Errors
    ///
    /// Returns [`ReadError`].
    pub async fn is_final(&self, seq: u64, header_hash: B256) -> Result<bool, ReadError> {
        let call = BatchSettlement::isFinalCall { seq, headerHash: header_hash };
        self.question(self.deployment.core).call(call).await
    }

    /// Whether something of a batch was demanded, answered or not.
    ///
    /// # Errors
    ///
    /// Returns [`ReadError`].
    pub async fn is_demanded(
        &self,
        header_hash: B256,
        demanded: Demanded,
    ) -> Result<bool, ReadError> {
        let (kind, index) = demanded.kind_and_index();
        let call = DemandProver::demandOfCall { headerHash: header_hash, kind, index };
        let demand = self.question(self.deployment.demand_prover).call(call).await?;
        Ok(demand.state != 0)
    }

    pub(crate) const fn question(&self, contract: Address) -> Question<'_> {
        Question { client: &self.client, contract, at: BlockId::Latest }
    }
}
